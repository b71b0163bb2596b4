"""The tools that come with the house: arithmetic, time, SQL, the corpus and the network."""
