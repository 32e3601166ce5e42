"""The console in a real Chromium, without a screen, over a gateway that has done the main job."""
