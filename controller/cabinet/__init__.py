"""The cabinet daemon: guard and optimizer processes, the site file, and what an operator does with them."""
