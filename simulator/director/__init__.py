"""What a director can order: one function per verb, and what each needs in its docstring."""
