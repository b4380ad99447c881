"""Each step of the pipeline put together: the pure stage, the store, and what comes from outside.

intake      poll and detect: feeds are looked at (polling), and what is new is filed (filing)
drafting    compose and approve; composing and picturing: one draft of them
dispatch    send; rendering makes the letters, links their links
learning    what came back
cleaning    what has served its time
telling     notices and their occasions
tools       what all of them work with
"""
