"""What a run's network says of its validation samples: mistakes, masks, values, series."""
