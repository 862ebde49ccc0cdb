"""Pictures and reports of features, matches and runs."""
