"""Pictures of the screens, and what draws them."""
