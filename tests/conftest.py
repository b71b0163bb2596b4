from hypothesis import settings

# A busy machine is no broken law: examples may take as long as they need.
settings.register_profile("laws", deadline=None)
settings.load_profile("laws")
