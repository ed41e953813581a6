"""What `make fuzz` and `make soak` share: where what is done is written down, and the page that shows it."""
