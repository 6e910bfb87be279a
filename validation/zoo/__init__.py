"""The zoo: right tiles that compute differently, and wrong ones. Does the conformance kit tell them apart?"""
