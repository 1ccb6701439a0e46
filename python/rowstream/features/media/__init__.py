"""Features of images, audio, video and other files."""
