"""What people and programs read: formats only print what the steps before have found."""
