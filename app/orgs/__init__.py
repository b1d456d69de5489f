"""Places (county, town, village), institutions and family-doctor teams."""
