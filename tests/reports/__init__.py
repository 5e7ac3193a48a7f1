"""What a report says of a day, a week or a month, and that it says the same in each of its formats."""
