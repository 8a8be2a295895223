"""What people read: terminal, Markdown, HTML; and what scripts read: JSON."""
