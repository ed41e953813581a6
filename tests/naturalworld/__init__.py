"""The natural world: pictures that designers drew, turned to other colours, put on grounds and described in words."""
