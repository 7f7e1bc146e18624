"""Terminal gateway: terminals' frames in, contract messages out."""
