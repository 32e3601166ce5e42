"""The questions that auditors, the data-protection officer and persons ask of the log and the registers.

Each is a function with a frozen result, for the command line and the console alike: there is no second way to ask.
Who asks, and why, is put on record by the caller before anything is shown. ADR 0032.
"""
