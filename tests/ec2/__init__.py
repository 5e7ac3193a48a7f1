"""EC2: what it says, which of its instances belong to the fleet, and what is done to them."""
