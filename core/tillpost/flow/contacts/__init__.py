"""Contacts: who a customer is at the destination, and whether what is known of it still holds."""
