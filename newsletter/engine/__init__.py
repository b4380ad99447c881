"""Who calls the pipeline and when. An engine only makes things happen sooner or on more machines."""
