"""Close the dome of the observatory when the weather turns.

Runs on the small computer under the stairs, once a minute. The sensors stand on the roof of the library.
"""

# The dome closes when the wind has been above this for three readings in a row. In metres per second.
WIND_LIMIT = 12.5

# Dew forms on the corrector plate when the air is nearer to the dew point than this. In degrees Celsius.
DEW_MARGIN = 2.0

# The motor must cool between two movements, or its fuse blows. In seconds.
MOTOR_PAUSE = 90


def should_close(winds: list[float], temperature: float, dew_point: float, raining: bool) -> bool:
    """Decide from the newest readings; rain closes the dome at once."""
    too_windy = len(winds) >= 3 and all(wind > WIND_LIMIT for wind in winds[-3:])
    return raining or too_windy or temperature - dew_point < DEW_MARGIN
