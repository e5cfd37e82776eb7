"""Files and bodies that are made to harm, and ways to send them."""
