"""The methods that are trained here, a package each."""
