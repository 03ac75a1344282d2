--- Samples of a profile for each second of CPU time, if nobody says something else.
return { HZ = 100 }
