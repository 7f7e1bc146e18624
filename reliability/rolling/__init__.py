"""Every process of a stack replaced while terminals sell, and the sales counted that failed."""
