"""The bridge between an Orthanc and liver-pdff: ultrasound images out, result objects in.

Standard library only, since it runs in the Python that Orthanc embeds; nothing here imports `orthanc`, so it can be
tested without one. `exchange` is the walk for one study, `waiting` says which study is next, `worker` is the thread.
"""
