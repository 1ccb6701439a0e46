"""`apply_chat_template`: conversations as texts or token ids."""
