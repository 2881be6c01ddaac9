"""Objects read and cropped in processes of their own."""
