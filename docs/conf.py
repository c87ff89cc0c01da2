"""How Sphinx builds these pages: `nox -s docs`."""

import jina_rerank

project = "jina-rerank"
release = version = jina_rerank.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "examples"]

html_theme = "furo"
html_title = f"jina-rerank {version}"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

myst_heading_anchors = 3  # the anchors that GitHub gives

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
napoleon_use_ivar = True
napoleon_numpy_docstring = False

# Docstrings write code in single backticks, as Markdown does: names of this suite become links.
default_role = "py:obj"
# No network, so no inventories of others: only links to our own names can be checked, but for type
# variables, and classes inside generic types, which keep the name of the module that defines them.
nitpick_ignore_regex = [
    ("py:obj", ".*"),
    ("py:.*", r"(?!jina_rerank\.).*"),
    ("py:class", r"jina_rerank\.types\.(D|D_co|RankedDocument)"),
]

# Users import these names from the package, not from the module that defines them.
for _name in jina_rerank.__all__:
    _value = getattr(jina_rerank, _name)
    if isinstance(_value, type):
        _value.__module__ = "jina_rerank"
