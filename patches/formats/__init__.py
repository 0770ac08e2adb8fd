"""What a hot patch is made of: the zip that people upload, and the files of code in it. Pure."""
