"""Key points: a stage before the model that finds a person's joints or hands in each picture.

The networks are those of MediaPipe 0.10.18. `edgevid fetch keypoints` takes them from its wheel; they
run in the LiteRT interpreter, without MediaPipe's runtime. The steps around them follow MediaPipe's
graphs: detector, crop with rotation, landmarks, tracking, smoothing.
"""
