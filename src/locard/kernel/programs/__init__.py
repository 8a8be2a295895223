"""The eBPF programs of `locard trace`: one program a file (NAME.bpf.c), beside its reader (NAME.py)."""
