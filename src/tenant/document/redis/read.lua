return {stamp, text}
