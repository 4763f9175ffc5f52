"""What a run is going to do: the job, the months behind it."""
