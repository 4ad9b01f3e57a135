return stamp
