# SPDX-License-Identifier: BSD-2-Clause
"""What ./eidolon is made of. Standard library only: it must run on a Debian that has nothing but python3."""
