"""Texts that no picture shows: abstract words, people's names, and words that are none.

What they score in a collection is its background: see :mod:`app.worker.background`. The words with
which answers are tested are others.
"""

from __future__ import annotations

_ABSTRACT = """
analysis, axiom, theorem, bureaucracy, capitalism, copyright, curiosity, deadline, diligence,
diplomacy, dividend, doubt, efficiency, ethics, etiquette, explanation, fate, grievance, heresy,
honesty, idiom, ideology, inference, integrity, jurisdiction, knowledge, legislation, liability,
metaphor, morality, negotiation, nostalgia, obligation, opinion, paradox, patience, permission,
policy, prejudice, probability, proverb, regret, reputation, rumour, salary, semantics, subsidy,
superstition, tariff, tradition, treaty, truth, verdict, warranty, wisdom
"""
_NAMES = """
Albert Hofmann, Anna Kowalska, Benjamin Franklin, Charlotte Becker, Daniel Fischer, Galileo,
Immanuel Kant, Julius Caesar, Karl Marx, Laura Bianchi, Marie Curie, Mohammed Ali, Nadia, Oliver,
Queen Victoria, Robert Johnson, Shakespeare, Thomas Edison, Voltaire, Winston
"""
_MADE_UP = """
abrikel, brintoff, celvarn, dremish, eskavol, fronded xil, gribblet, hjkl, jorvane, klimpst,
lorem ipsum, mavricol, nurbish, oqwxz, prandolet, qazwsx, rimbosk, strelvane, tolvery, uiop,
vexumant, wertzu, yxcvb, zibberon
"""

PROBES: tuple[str, ...] = tuple(
    " ".join(word.split()) for words in (_ABSTRACT, _NAMES, _MADE_UP) for word in words.split(",")
)
