"""Which side of a picture is the patient's left: what the file says, and what the picture of a chest suggests."""
