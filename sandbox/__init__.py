"""A local Back Market: the seller API's order, listing and category endpoints over HTTP, with seeded data.

The demo, the tests and a user's first day run against it. It shares no code with the client, so that the two
can disagree; what it knows comes from the public API description and from what sellers saw in production.
"""
