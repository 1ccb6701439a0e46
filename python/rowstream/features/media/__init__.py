"""Images, audio, video and other files in columns."""
