"""XML of tills read safely, element by element: what the adapters of XML formats share. No plugin of its own."""
