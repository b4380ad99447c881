"""Import: other services' files onto the list, with their statuses respected. ``run`` and
``run_in_steps``; ``taking_back`` beside this package takes one back.

reading     bytes -> rows (encoding, delimiter, header)
dialects    whose file it is, and what its columns and statuses mean
rows        a row -> a Person
plan        what happens to them, and why (pure)
write       that, a thousand at a time
run         the whole
"""

from subscribers.imports.plan import Outcome as Outcome
from subscribers.imports.run import Begun as Begun
from subscribers.imports.run import How as How
from subscribers.imports.run import ImportedRow as ImportedRow
from subscribers.imports.run import Report as Report
from subscribers.imports.run import run as run
from subscribers.imports.run import run_in_steps as run_in_steps
