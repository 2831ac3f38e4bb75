"""Every head's attention pattern as a thumbnail, all on one canvas."""
