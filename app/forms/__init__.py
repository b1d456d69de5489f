"""Visit and assessment forms: one definition file each, and the engine that reads them.

Other rooms use `app.forms.engine`; what the keys of a definition mean stands in
definitions/README.md. The phone's twin of everything here is static/js/forms/.
"""
