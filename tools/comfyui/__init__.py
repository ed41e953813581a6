"""The real ComfyUI: set up (`environment`), a library (`library`), on a port (`server`, `client`), in a page (`chromium`)."""
