"""The switch: decides, journals and answers authorizations."""
