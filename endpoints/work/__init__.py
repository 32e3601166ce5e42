"""The work beside the listeners, in one model: loops that rest when nothing is to be done, and scheduled jobs.

Threads of the supervisor in the embedded form, else processes: one of each `serve`, and any number of `gateway work`.
"""
