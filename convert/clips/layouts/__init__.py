"""The layouts in which people keep labelled clips; each module lists the clips of one."""
