"""Values, conventions and errors that every other room uses."""
