"""What a training needs: operations, memory, time."""
