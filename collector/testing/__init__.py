"""The test kit for components: builders of batches, sinks, laws and strategies."""
