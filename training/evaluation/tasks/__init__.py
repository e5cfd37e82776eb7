"""One module for each thing that is measured: `run(model, data, options)` gives a `Result`."""
