"""Target resolution, the order of the layers, the budget, the contributing factors."""
