"""Questions over several tables, for who looks on."""
